"""Contracts: what a data set must be like, read from a reviewed YAML file and held against data frames.

contract            a contract as values: read, write; imports no pandas
schema  rules       what the file may hold; cross-column expressions, never code
check               a frame held against a contract: rows kept, rows set aside with their reason, what stops
glance              whether a few rows plainly keep a contract, in a tenth of the time
breaches  columns  result
infer               a proposal from a table, by way of pandera
diff  skew          what changed between two contracts; how far two tables are apart
page  tables        the result as a page; reading tables
"""
