/** Writes text and waits until the stream takes more, so that a slow reader does not fill memory. */
export async function writeText(sink: NodeJS.WritableStream, text: string | Uint8Array): Promise<void> {
  if (sink.write(text as string)) return;
  // A failed stream emits no further event; its owner has seen the error.
  if ((sink as { readonly destroyed?: boolean }).destroyed === true) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (act: () => void) => {
      sink.off('drain', onDrain);
      sink.off('error', onError);
      act();
    };
    const onDrain = () => settle(resolve);
    // The reader is gone: the text is dropped, which is no failure of the work.
    const onError = (error: NodeJS.ErrnoException) =>
      settle(() => (error.code === 'EPIPE' ? resolve() : reject(error)));
    sink.on('drain', onDrain);
    sink.on('error', onError);
  });
}
