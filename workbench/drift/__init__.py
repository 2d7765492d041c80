"""How far live data are from what a model was trained on, and whether that is more than ordinary change.

    distances    effect sizes of two histograms
    sketch       a table as histograms by day: made in one pass, merged by adding
    ordinary     how far apart days of the reference are from each other, and so what counts as drift
    compare      a window against the reference: every column's distances, ranked, each with its verdict
    graded       answers with their outcomes, counted by day: every metric follows from it
    serial       how far an average of days may lie by chance, where one day is like the day before
    performance  how good a window's answers were against the reference period's, and whether that is worse
    reference    what travels with a version: its training rows, its answers and their outcomes, counted

Pure: nothing here reads or writes a file.
"""
