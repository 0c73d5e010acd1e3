"""Whether a server answers at all: asked within seconds, before a client that would wait for it for minutes."""

import ssl
from http.client import HTTPException
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

PATIENCE = 10.0  # seconds that a server has to answer
AGAIN = 1.0  # seconds for one that did not answer before
GATEWAY = (502, 503, 504)  # somebody says that the server is not there
_silent: set[str] = set()  # addresses that did not answer when this process last asked


def why_away(url: str) -> str | None:
    """Why nobody answers at `url`, in a few words; None where somebody does, whatever the answer.

    Proxies are those of the environment. An address that was silent is asked again, but not waited for as long: a sweep
    without a network is not held up in every run, and notices when the network is back.
    """
    patience = AGAIN if url in _silent else PATIENCE
    found = [_too_late(patience)]

    def ask() -> None:
        found[:] = _asked(url, patience)

    # Looking up a name has no time limit of its own: whoever does it is left behind.
    asking = Thread(target=ask, daemon=True, name="is there a server")
    asking.start()
    asking.join(patience)
    why = next(iter(tuple(found)), None)
    (_silent.discard if why is None else _silent.add)(url)
    return why


def _asked(url: str, patience: float) -> list[str]:
    """The reason, if there is one."""
    try:
        urlopen(Request(url, method="HEAD"), timeout=patience).close()
    except HTTPError as answer:
        return [f"{answer.code} {answer.reason}"] if answer.code in GATEWAY else []
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError):  # somebody is there; the client has certificates of its own
            return []
        if isinstance(error.reason, TimeoutError):
            return [_too_late(patience)]
        return [str(getattr(error.reason, "strerror", None) or error.reason)]
    except TimeoutError:  # the connection is made, the answer does not come
        return [_too_late(patience)]
    except (OSError, HTTPException) as error:
        return [str(error) or type(error).__name__]
    except ValueError:  # no address at all, which the client says better
        return []
    return []


def _too_late(patience: float) -> str:
    """The one wording, whether the socket's clock or ours runs out first."""
    return f"no answer within {patience:g} s"
