import { definePipeline } from 'edrlake';

/**
 * Asks for the details of scored events, each of which costs a request: in the morning, when the nightly run is over.
 * What one run does not manage is for the next one.
 */
export default definePipeline({
  name: 'details',
  description: 'add details to scored events',
  schedule: { cron: '30 5 * * *', timeZone: 'UTC' },
  params: {
    score: { type: 'number', meaning: 'the lowest score', default: 5 },
    requests: { type: 'number', meaning: 'requests of one run', default: 100 },
  },
  tasks: {
    enrich: {
      uses: 'enrich',
      with: ({ params: { score, requests } }) => ({ where: `score >= ${score}`, maxRequests: requests }),
    },
  },
});
