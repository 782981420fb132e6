import errno
import socket

import pytest

from facewave.app.page import command
from facewave.app.page.process import passed
from facewave.errors import UserError


def test_an_address_that_this_machine_has_not_is_not_taken_for_a_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for error, advice in [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "with --host"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "with --host"),
        (OSError(errno.EADDRINUSE, "Address already in use"), "Name another --port"),
        (OSError(errno.EACCES, "Permission denied"), "Name another --port"),
    ]:

        def fail(*_: object, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(socket.socket, "bind", fail)
        with pytest.raises(UserError, match=advice):
            command._listener("nosuch.example", 80)
    with pytest.raises(UserError, match="--host has no address"):
        command.serve(0, "", None, opens_browser=False)


def test_a_job_is_given_no_keys() -> None:
    kept = {"PATH": "/bin", "LC_ALL": "C", "FACEWAVE_CACHE": "/cache", "HOME": "/", "TMPDIR": "/t"}
    secret = {"FACEWAVE_API_KEY": "k", "FACEWAVE_ALLOW_UPLOAD": "1", "AWS_SECRET": "s", "APATH": ""}
    assert passed(kept | secret) == kept
