"""What a problem is: grammar and repair, levels, topics, prompts, questions, answers, and its form as training text. No scripts."""
