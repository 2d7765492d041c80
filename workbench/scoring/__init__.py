"""Batch scoring under the contract that travels with a model version.

job                 tables of any size in, one probability a row out, never half a result
cluster             the same on a Dask cluster, part by part
streaming           one file into its part, piece by piece
record              what is left in the prediction log
result              what came of it
plan                each file, its part, and whether that has to be done
model  parts  tables
"""
