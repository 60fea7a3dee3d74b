"""How videos come to the service: uploaded whole or in pieces, or registered where they lie."""
