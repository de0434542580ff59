"""The pre-training dialogue of the embedded model: a generator of talk in many roles, written by us.

`roles/*.yaml` hold one role each (system prompts, script, moves), `*.yaml` the words they share.
`dialogue.py` turns a role and a seed into one conversation. Nothing here comes from a corpus or a model.
"""
