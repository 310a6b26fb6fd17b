"""Run Portico's command line as `python -m portico`."""

from portico.cli import main

main()
