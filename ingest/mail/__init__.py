"""Review platforms' own "new review" mails: opened, proven, read by declarative layouts."""
