"""Burst hooks in operation: detectors, due runs, past runs. Hooks: `control.bursts`."""
