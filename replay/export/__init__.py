"""What leaves Crosslane: findings kept as files, and repro scripts that need nothing but Python and the handler."""
