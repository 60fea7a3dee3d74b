"""Exchange: stores to and from the tools of the field (ELAN, BORIS, Datavyu, Praat, R, CVAT, Rerun)."""
