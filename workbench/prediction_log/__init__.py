"""The prediction log: every answer of every model version on record, and what became of it.

revisit             a notebook with the exact version and row of a prediction
cause               from a prediction back to the run and the rows that it comes from
similar             which training rows are most like a row
log                 what a server writes to: durable when `append` returns
finding             one prediction by its id
overview            what there is of each model
importing           outcomes from a file
outcomes            labels that come later, joined by prediction id or by key columns
intake              outcomes as they were given, and what becomes of each
compaction          from the journal into Parquet by model and day; small files into bigger ones; retention
batches             what batch scoring writes: each part becomes a file of the log, once
reading             batches of rows, while others write
tallies             what the rows do not say: requests that were refused or failed, rows that were set aside
asking              which rows: by time, version and kind
matching            which outcome belongs to which prediction
labels              what an outcome of a model may be
joining             the newest outcome of every prediction of a day
journal             SQLite, one file for each project, many writers
tail                the journal followed: what was answered since one last looked
snapshot            the journal at one moment
files  places       Parquet, whole or not there; where everything is, and which file holds what
tables              rows as typed columns, and tables of different columns made alike
encoding            entries as rows of the journal, and back into typed columns
entries             what is logged, and the names of predictions
"""
