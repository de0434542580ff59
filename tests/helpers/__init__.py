"""What tests share: small studies, models, servers and records. No test imports from another test's file."""
