"""What a person looks at: figures, sentences and the page."""
