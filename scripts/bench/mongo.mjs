export async function mongoScenarios() {}
