"""The report: one HTML page from stored tables, with every verdict, figure and command.

``python -m motsim.report``; nothing is simulated, only judged and drawn.
"""
