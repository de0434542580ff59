"""What a technique of a course is made of: topic, steps and homework."""
