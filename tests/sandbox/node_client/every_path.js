// Calls every path of the sandbox with Mailchimp's official Node client, unmodified. `basePath` is where the
// client keeps the address of the service. Prints one JSON object: what each call gave, by name.
"use strict";

const crypto = require("crypto");
const path = require("path");
const { createRequire } = require("module");

const { BASE, KEY, LIST, CAMPAIGN, MODULES } = process.env;
const mailchimp = createRequire(path.join(MODULES, "node_modules", "_"))("@mailchimp/mailchimp_marketing");
mailchimp.setConfig({ apiKey: KEY, server: "us6" });
mailchimp.basePath = BASE;

const { lists, reports, campaigns, batches, batchWebhooks } = mailchimp;
const hash = (address) => crypto.createHash("md5").update(address).digest("hex");
const PAT = hash("pat@club.example");
const contact = { company: "C", address1: "1", city: "T", state: "S", zip: "1", country: "US" };
const defaults = { from_name: "C", from_email: "c@club.example", subject: "", language: "en" };
const list = { name: "New", contact, permission_reminder: "You asked.", campaign_defaults: defaults, email_type_option: true };

async function main() {
  const seen = {};
  const keep = async (name, promise) => (seen[name] = await promise);

  await keep("ping", mailchimp.ping.get());
  await keep("root", mailchimp.root.getRoot({ fields: ["account_name"] }));

  const made = await keep("createList", lists.createList(list));
  await keep("updateList", lists.updateList(made.id, { ...list, name: "Newer" }));
  await keep("getList", lists.getList(made.id, {}));
  await keep("getAllLists", lists.getAllLists({ count: 1000, fields: ["lists.name"] }));
  await lists.deleteList(made.id);

  const field = await keep("addListMergeField", lists.addListMergeField(LIST, { name: "Level", type: "number", tag: "LEVEL" }));
  await keep("updateListMergeField", lists.updateListMergeField(LIST, field.merge_id, { name: "Rank" }));
  await keep("getListMergeField", lists.getListMergeField(LIST, field.merge_id, {}));
  await keep("getListMergeFields", lists.getListMergeFields(LIST, { count: 100 }));

  const address = "new@club.example";
  await keep("addListMember", lists.addListMember(LIST, { email_address: address, status: "subscribed" }, { skipMergeValidation: true }));
  await keep("setListMember", lists.setListMember(LIST, hash("put@club.example"), { email_address: "put@club.example", status_if_new: "subscribed" }, {}));
  await keep("updateListMember", lists.updateListMember(LIST, hash(address), { merge_fields: { LEVEL: 7 } }, {}));
  await keep("getListMember", lists.getListMember(LIST, hash(address), {}));
  await keep("getListMembersInfo", lists.getListMembersInfo(LIST, { count: 3, status: "subscribed" }));
  await keep("batchListMembers", lists.batchListMembers(LIST, { members: [{ email_address: "many@club.example", status_if_new: "subscribed" }], update_existing: true }, {}));
  await lists.deleteListMember(LIST, hash(address));
  await lists.deleteListMemberPermanent(LIST, hash(address));
  await lists.deleteListMergeField(LIST, field.merge_id);
  try {
    await lists.addListMember(LIST, { email_address: address, status: "subscribed" }, {});
  } catch (error) {
    await keep("refused", { status: error.status, title: JSON.parse(error.response.text).title });
  }

  await lists.updateListMemberTags(LIST, PAT, { tags: [{ name: "Volunteer", status: "active" }] });
  await keep("getListMemberTags", lists.getListMemberTags(LIST, PAT, {}));
  await keep("tagSearch", lists.tagSearch(LIST, { name: "vol" }));
  const category = (await keep("getListInterestCategories", lists.getListInterestCategories(LIST, {}))).categories[0];
  await keep("listInterestCategoryInterests", lists.listInterestCategoryInterests(LIST, category.id, {}));
  await keep("searchMembers", mailchimp.searchMembers.search("pat@club.example", { listId: LIST }));

  const segment = await keep("createSegment", lists.createSegment(LIST, { name: "Some", static_segment: ["pat@club.example"] }));
  await keep("updateSegment", lists.updateSegment(LIST, segment.id, { name: "Others", static_segment: [] }));
  await keep("batchSegmentMembers", lists.batchSegmentMembers({ members_to_add: ["kim@club.example"] }, LIST, segment.id));
  await keep("createSegmentMember", lists.createSegmentMember(LIST, segment.id, { email_address: "sam@club.example" }));
  await keep("getSegmentMembersList", lists.getSegmentMembersList(LIST, segment.id, { includeUnsubscribed: true }));
  await keep("getSegment", lists.getSegment(LIST, segment.id, {}));
  await keep("listSegments", lists.listSegments(LIST, { type: "static" }));
  await lists.removeSegmentMember(LIST, segment.id, hash("sam@club.example"));
  await lists.deleteSegment(LIST, segment.id);

  const hook = await keep("createListWebhook", lists.createListWebhook(LIST, { url: "http://127.0.0.1:9/hook", events: { subscribe: true }, sources: { user: true } }));
  await keep("updateListWebhook", lists.updateListWebhook(LIST, hook.id, { events: { cleaned: true } }));
  await keep("getListWebhook", lists.getListWebhook(LIST, hook.id));
  await keep("getListWebhooks", lists.getListWebhooks(LIST));
  await lists.deleteListWebhook(LIST, hook.id);

  const batch = await keep("startBatch", batches.start({ operations: [{ method: "GET", path: "/ping", operation_id: "a" }] }));
  let state = batch;
  for (let turn = 0; state.status !== "finished" && turn < 500; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    state = await batches.status(batch.id, {});
  }
  await keep("batchStatus", state);
  await keep("listBatches", batches.list({ count: 5 }));
  await batches.deleteRequest(batch.id);
  const told = await keep("createBatchWebhook", batchWebhooks.create({ url: "http://127.0.0.1:9/batch" }));
  await keep("updateBatchWebhook", batchWebhooks.update(told.id, { enabled: false }));
  await keep("getBatchWebhook", batchWebhooks.get(told.id, {}));
  await keep("listBatchWebhooks", batchWebhooks.list({}));
  await batchWebhooks.remove(told.id);

  await keep("listCampaigns", campaigns.list({ status: "sent" }));
  await keep("getCampaign", campaigns.get(CAMPAIGN, {}));
  await keep("getAllCampaignReports", reports.getAllCampaignReports({ count: 10 }));
  await keep("getCampaignReport", reports.getCampaignReport(CAMPAIGN, {}));
  await keep("getCampaignRecipients", reports.getCampaignRecipients(CAMPAIGN, { count: 100 }));
  await keep("getCampaignOpenDetails", reports.getCampaignOpenDetails(CAMPAIGN, {}));
  const links = await keep("getCampaignClickDetails", reports.getCampaignClickDetails(CAMPAIGN, {}));
  const link = links.urls_clicked[0].id;
  await keep("getCampaignClickDetailsForLink", reports.getCampaignClickDetailsForLink(CAMPAIGN, link, {}));
  await keep("getSubscribersInfo", reports.getSubscribersInfo(CAMPAIGN, link, {}));
  await keep("getEmailActivityForCampaign", reports.getEmailActivityForCampaign(CAMPAIGN, { count: 100 }));
  await keep("getEmailActivityForSubscriber", reports.getEmailActivityForSubscriber(CAMPAIGN, PAT, {}));
  await keep("getUnsubscribedListForCampaign", reports.getUnsubscribedListForCampaign(CAMPAIGN, {}));
  await keep("getListMemberActivity", lists.getListMemberActivity(LIST, PAT, { action: ["open", "click"] }));
  await keep("getListMemberActivityFeed", lists.getListMemberActivityFeed(LIST, PAT, { count: 10 }));

  process.stdout.write(JSON.stringify(seen));
}

main().catch((error) => {
  const answer = error.response ? `${error.status} ${error.response.req.path} ${error.response.text}` : "";
  process.stderr.write(`${error.stack || error} ${answer}\n`);
  process.exit(1);
});
