"""Export to and import from other tools: ELAN, BORIS, Datavyu, Praat, R, CVAT, Rerun."""
