"""Every stage and model that ships with cbtrun, each a plugin like anyone's."""
