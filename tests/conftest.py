"""What holds for every test: Hypothesis judges answers, not how fast a machine gives them that may be busy."""

from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
