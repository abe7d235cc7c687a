"""Burst hooks at work: detectors, what is wished, what was run. Hooks: `control.bursts`."""
