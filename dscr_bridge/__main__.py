"""Run the command line as `python -m dscr_bridge`."""

from dscr_bridge.cli import main

if __name__ == "__main__":
    main()
