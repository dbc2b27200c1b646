"""The mixture-of-classification problem: data, models, training, flow, and what is measured."""
