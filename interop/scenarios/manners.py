"""Bad manners of the world, each of which ends safely and with a clear word."""

ALL = ()
