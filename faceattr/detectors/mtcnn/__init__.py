"""MTCNN on our engine, with the boxes and landmarks of the mtcnn package."""
