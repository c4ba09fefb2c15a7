"""Tools of the tests: the reactor, servers to test against, fakes. No test lives here."""
