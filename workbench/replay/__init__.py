"""The year as it would have been: month by month, under one policy after the other.

months      which months, and what the pipeline is told to learn from them
policies    what is done at the end of a month: decided from what was seen, with the reason
place       a state of the same project for each policy, and what it can do there: train, promote, roll back
outcomes    the rows of the months with their labels, and how good a version was on them
monitoring  what the monitors would have said at the end of a month
alerting    alerts of a champion, week by week, as a service would have them
yours       the pipeline's own triggers as a policy
journal     what happened, month by month, on disk
course      one policy through the year
asking      what is asked for, held against the project
findings    what came of it: quality, false alarms, cost, how models age
year        from what is asked for to what came of it
charts      drawings without scripts
page        all of it as a page for people
"""
