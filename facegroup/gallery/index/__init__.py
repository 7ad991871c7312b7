"""A gallery's centroids as matching reads them: rows in, the most similar people of each probe out."""
