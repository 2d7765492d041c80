"""The promoted model answers, online: several models, swapped while they answer, every answer on record.

answers             what is asked, what is answered, and why something is refused; the words that the parts share
"""
