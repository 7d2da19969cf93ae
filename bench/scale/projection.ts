/**
 * What a replay of 30 days takes on Fargate, from what one thread does here. A vCPU is half of a core of two hardware threads; what one is
 * against the machine measured is for the reader to judge, which is why the arithmetic is shown.
 */
const EVENTS = 3.6e9;
/** On demand, Linux on x86, us-east-1: dollars a vCPU-hour and a GB-hour, https://aws.amazon.com/fargate/pricing/. */
const PRICE = { vcpuHour: 0.04048, gigabyteHour: 0.004445 } as const;
/** Of one task. */
const TASK = { vcpus: 2, gigabytes: 4 } as const;
const TASKS = 16;

/** @param perSecond events that one thread normalizes. */
export function projection(perSecond: number): string[] {
  const vcpuHours = EVENTS / perSecond / 3600;
  const taskHours = vcpuHours / TASK.vcpus;
  const dollars = taskHours * (TASK.vcpus * PRICE.vcpuHour + TASK.gigabytes * PRICE.gigabyteHour);
  return [
    `3.6 billion events, projected to Fargate: 3.6e9 ÷ ${Math.round(perSecond).toLocaleString('en')}/s ÷ 3600 = ${vcpuHours.toFixed(1)} vCPU-hours of normalizing`,
    `  ÷ ${TASK.vcpus} vCPUs = ${taskHours.toFixed(1)} hours of a task of ${TASK.vcpus} vCPUs and ${TASK.gigabytes} GB; with --shard auto/${TASKS}: ${(taskHours / TASKS).toFixed(2)} h on the clock`,
    `  × (${TASK.vcpus} × $${PRICE.vcpuHour} + ${TASK.gigabytes} × $${PRICE.gigabyteHour}) = $${dollars.toFixed(2)}, without the requests to S3 and the warehouse's part`,
  ];
}
