"""Run folders -> tables, paired differences, figures and one web page. It reads only the files of runs.

index.html                        everything on one page
table1.md .json .csv .tex         a row for each initialisation (and share of labels); .csv in full precision
comparisons.md .json .csv .tex    paired differences between initialisations, where there are two to compare
protocols.md .tex                 a table for each protocol (fine-tuned, linear, retrieval, bias) of several
scarcity.md .csv .tex             accuracy by share of labels, where there are several; .csv has a row for each point
scores.md                         disentanglement scores of pretrained features
runs.csv                          a row for each finished run with all its metrics
figure2.png figure3.png label-scarcity.png

How it is made, in this order:

read                          the files of runs, each parsed once -> `RunSet`
groups, labels, caveats       which runs may be averaged or compared, and what a row is called
table1, comparisons, scarcity the numbers, by stats
results                       all of it computed once, with the tables and charts that it is shown as
make, page, console           renderings of `Results`: files, page, terminal
"""
