"""`make demo`: realistic use of the starter assistant, through the doors that people and servers use."""
