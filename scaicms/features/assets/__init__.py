"""Files of a site: images and whatever else items use."""
