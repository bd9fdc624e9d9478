"""MTCNN on our engine, with the boxes and landmarks of the mtcnn package, several times as fast.

MTCNN is a cascade of three networks. PNet, fully convolutional, proposes a face for every cell of
12×12 pixels, 2 pixels apart, in each level of an image pyramid. RNet looks at the proposals
again in crops of 24×24 pixels, ONet at what is left in crops of 48×48; both move the boxes, and
ONet places the landmarks. Stages, thresholds and arithmetic are those of the mtcnn package. Why it
is faster:

- **Whole arrays, no TensorFlow.** The package decodes boxes in Python loops and calls the networks
  eagerly. Here each step is one NumPy expression on all boxes (`stages`), and the engine compiles
  the networks.
- **A screening before RNet.** Few proposals are faces. They are first screened at the engine's
  precision, on approximate crops; only survivors are run in float32 on exact ones. So boxes,
  confidences and landmarks always come from float32, and so do the proposals: in bfloat16 PNet
  loses faces.
- **Few shapes.** An engine prepares itself for each new shape, which takes longer than running
  the network. Batches and the sides of levels are padded to bucket sizes (`packing`).
- **One run for all small levels.** A run's overhead exceeds the inference time of a small level,
  so that small levels are packed into one image (`packing`).
- **Large levels in strips.** PNet's activations of a strip fit into the processor's cache, those
  of a large level do not (`packing`).
- **Levels made in parallel, from sums.** OpenCV resizes on one core, so the next levels are made
  while PNet runs on one. Small levels come from an integral image, which reads only what they
  need; large ones from an image whose sides were halved first (`sampling`).
- **A limit on the finest level.** Without `min_face`, the pyramid of a large image starts at a
  level of at most 900,000 pixels.

`detector` tells the story; `weights` reads the networks.

Reference: Zhang et al., Joint face detection and alignment using multitask cascaded convolutional
networks, IEEE Signal Processing Letters 2016.
"""
