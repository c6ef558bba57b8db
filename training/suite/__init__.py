"""The suite: what policies are asked after every run, beside the campaign's own prompts for that purpose.

Its texts were written for this project. `items` reads them, `judging` judges answers by code.
"""
