"""``python -m placar`` is ``placar``."""

from placar.cli import main

if __name__ == "__main__":
    main()
