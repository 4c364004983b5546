/** The names of the datasets that edrlake comes with, the one that is meant where none is named first. */
export const DATASET_NAMES = ['qualys-edr', 'qualys-fim'] as const;
