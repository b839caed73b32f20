"""What lecture 7 needs beside helpers.attacks: threat models, families of attacks, defence. One module per theme."""
