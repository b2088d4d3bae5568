"""What every room stands on: tables, files, hashes, options, progress, work folders, workers, Ray. No scripts."""
