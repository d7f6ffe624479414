"""From a crossing to the shared thing it travelled through, the line that wrote it and the line that read it."""
