// The default ids are hashes of absolute paths, by which every checkout would build another bundle.
module.exports = {
  optimization: { moduleIds: 'natural', chunkIds: 'natural' }
};
