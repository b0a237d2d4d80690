"""What people look at: plain HTML that needs no scripts."""
