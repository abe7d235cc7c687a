"""``python -m sitectl``."""

from sitectl.main import main

main()
