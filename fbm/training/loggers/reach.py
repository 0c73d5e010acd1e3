"""Whether a server answers: a check of a few seconds, since the client would wait for minutes."""

import ssl
from http.client import HTTPException
from threading import Thread
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

TIMEOUT = 10.0  # seconds that a server has to answer
RETRY_TIMEOUT = 1.0  # seconds for a server that did not answer before
GATEWAY = (502, 503, 504)  # a proxy reports that the server is down
_silent: set[str] = set()  # addresses that did not answer the last request of this process


def unreachable_reason(url: str) -> str | None:
    """Why nothing answers at `url`, in a few words; None if something does, whatever the answer.

    Proxies are those of the environment. An address that did not answer is tried again with a shorter timeout: a sweep
    without a network is not delayed in every run, and notices when the network is back.
    """
    timeout = RETRY_TIMEOUT if url in _silent else TIMEOUT
    found = [_too_late(timeout)]

    def ask() -> None:
        found[:] = _failure(url, timeout)

    # Resolving a name has no timeout of its own: the thread is abandoned.
    asking = Thread(target=ask, daemon=True, name="is there a server")
    asking.start()
    asking.join(timeout)
    why = next(iter(tuple(found)), None)
    (_silent.discard if why is None else _silent.add)(url)
    return why


def _failure(url: str, timeout: float) -> list[str]:
    """The reason, if there is one."""
    try:
        urlopen(Request(url, method="HEAD"), timeout=timeout).close()
    except HTTPError as answer:
        return [f"{answer.code} {answer.reason}"] if answer.code in GATEWAY else []
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError):  # the server is there; the client has its own certificates
            return []
        if isinstance(error.reason, TimeoutError):
            return [_too_late(timeout)]
        return [str(getattr(error.reason, "strerror", None) or error.reason)]
    except TimeoutError:  # connected, but no answer
        return [_too_late(timeout)]
    except (OSError, HTTPException) as error:
        return [str(error) or type(error).__name__]
    except ValueError:  # not a URL: the client reports it better
        return []
    return []


def _too_late(timeout: float) -> str:
    """The same text whether the socket's timeout or the thread's expires first."""
    return f"no answer within {timeout:g} s"
