"""`run(app)`: what it refuses, in every form; tests/batteries has what it serves."""

import pytest

from micropie import App, run

PAIR = "a certificate is of no use without its key"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"port": 65536}, ValueError, "run(port=65536): a number from 0 to 65535 is wanted"),
        ({"workers": 0}, ValueError, "run(workers=0, reload=False): 1 or more, and 1 with reload"),
        ({"workers": 2, "reload": True}, ValueError, "run(workers=2, reload=True): 1 or more, and 1 with reload"),
        ({"server": "nginx"}, ValueError, "run(server='nginx'): 'granian' or 'uvicorn' is wanted"),
        (
            {"uds": "s", "fd": 3},
            ValueError,
            "run() takes uds or fd, not both: the application is served at one address",
        ),
        (
            {"reload_include": ["a/b"]},
            ValueError,
            "run(reload_include=('a/b',)): patterns for names are wanted, without /",
        ),
        ({"graceful_timeout": 0}, ValueError, "run(graceful_timeout=0): 1 to 1800 seconds are wanted"),
        ({"graceful_timeout": 1801}, ValueError, "run(graceful_timeout=1801): 1 to 1800 seconds are wanted"),
        ({"tls_cert": "cert.pem"}, ValueError, "run() takes tls_cert and tls_key together: " + PAIR),
        ({"tls_key": "key.pem"}, ValueError, "run() takes tls_cert and tls_key together: " + PAIR),
        ({"app": 1}, TypeError, "run() takes an application, 1 is none"),
    ],
)
def test_arguments_that_make_no_sense(options, error, message):
    """`run` says what is wanted."""
    with pytest.raises(error) as caught:
        run(**{"app": App(), **options})
    assert str(caught.value) == message


def test_a_module_that_is_imported():
    """A module that serves when it is imported is told so: every worker would."""
    names = {"__name__": "shop"}
    with pytest.raises(RuntimeError) as caught:
        exec("from micropie import App, run\nrun(App())\n", names)
    message = "run() is called while shop is imported: put it under if __name__ == '__main__'"
    assert str(caught.value) == message
