"""From rated sessions to answers: tables, options, checks, power, pre-registration."""
