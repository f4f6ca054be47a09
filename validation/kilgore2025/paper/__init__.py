"""The study of Kilgore, Kopsick, Ascoli & Adam 2025 (doi 10.1038/s41598-025-03408-7) with its own settings, figure by figure."""
