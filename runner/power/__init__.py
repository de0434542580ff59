"""What a design can find: power by formula and by simulation, and how it is put into words."""
