"""The monitor beside what a user would pick instead, and beside the physical limit: same work.

python -m benchmarks [--rows 1,4,7] [--smoke] [--repeats N] [--log FOLDER]
                     [--without-peers] [--json FILE]

How to read what it prints stands in docs/performance.md.
"""
