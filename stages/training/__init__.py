"""Training synthesizers, the reference model and students.

Scripts: finetune, pretrain, train_reference, train_synthesizer, worker.
"""
