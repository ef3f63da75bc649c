require ["ihave", "fileinto"];
fileinto "Other";
error "why";
