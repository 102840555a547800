"""Quire's figures: `python3 -m bench` prints them, `python3 -m bench.peers` beside those of Linux with KVM."""
